"""An adversarial start: networks that first memorise random labels, and then learn the real ones."""
