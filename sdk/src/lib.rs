//! What a product team writes a banking product with
