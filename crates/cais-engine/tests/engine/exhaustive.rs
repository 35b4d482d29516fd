//! Every sequence of a small world.
