//! The tenor command
