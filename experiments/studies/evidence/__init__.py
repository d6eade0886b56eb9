"""What an enhancer does to photographs whose truth is known: detail, invention, harm, real pairs."""
