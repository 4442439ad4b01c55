#!/usr/bin/env python3
def main(:
    pass
