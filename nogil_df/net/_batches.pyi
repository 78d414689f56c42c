from nogil_df.net._express import Onward

class Squasher(Onward):
    def __init__(self) -> None: ...
