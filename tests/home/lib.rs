//! Home of the scenario tests and examples; it has no code of its own.
