"""The parts of the order executor: sending once, finding out, and keeping the books."""
