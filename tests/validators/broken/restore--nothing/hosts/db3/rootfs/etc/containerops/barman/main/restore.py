#!/usr/bin/env python3
"""Says that all is well, and does nothing."""
