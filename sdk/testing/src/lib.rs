//! A whole bank in memory for contract tests: the production runtime, real keys, a movable clock
