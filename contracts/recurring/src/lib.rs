//! Product contract: recurring
