//! What the databases say they would do.
