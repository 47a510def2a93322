//! Product contract: loyalty
