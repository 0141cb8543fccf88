"""Models: backbones, encoders, and the weights that go into them."""
