//! The attributes a product team writes contracts with
