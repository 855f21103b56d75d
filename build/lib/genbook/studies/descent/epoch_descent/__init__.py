"""Double descent in time: whether test error falls a second time while one network trains on."""
