//! Product contract: loan
