"""What an enhancer does to photographs of known truth: detail, invention, harm, real pairs."""
