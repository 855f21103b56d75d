"""Early stopping: networks under label noise, and the gradients of clean and corrupted examples while they learn."""
