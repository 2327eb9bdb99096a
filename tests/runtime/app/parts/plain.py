VALUE = 42


def function():
    return VALUE


class Thing:
    def __init__(self, number):
        self.number = number
