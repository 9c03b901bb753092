"""What the ONNX parser of each TensorRT takes, as data."""
