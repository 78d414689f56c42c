from nogil_df.net._express import Onward

class Squasher(Onward):
    def __init__(self, count: int) -> None: ...

class Flight:
    def ground(self) -> None: ...
