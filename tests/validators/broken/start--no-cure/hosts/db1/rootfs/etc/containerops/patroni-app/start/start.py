def cure():
    pass


def lower_the_floor():
    pass
