//! A server for tests that answers by script, byte for byte, over real TCP.
