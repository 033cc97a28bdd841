//! A slug is the same whichever engine built it, and runs in both.
