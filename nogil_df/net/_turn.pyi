from nogil_df.net._express import Express
from nogil_df.net.loop import Loop

class Turns:
    def run(self) -> None: ...

def turns_of(loop: Loop, express: Express) -> Turns | None: ...
