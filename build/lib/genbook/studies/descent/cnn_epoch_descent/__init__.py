"""Double descent in time as it was published: a convolutional network on CIFAR-10 with wrong labels."""
