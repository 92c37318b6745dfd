"""Tests of the phone app."""
