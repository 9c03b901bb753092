"""What a request is answered that is not done."""


class RefusedError(Exception):
    """A request that is refused.

    Attributes:
        status: of HTTP.
        sentence: what is wrong and what to do.
    """

    def __init__(self, status: int, sentence: str) -> None:
        self.status = status
        self.sentence = sentence
        super().__init__(sentence)
