//! Every command for every role, on a real store.
