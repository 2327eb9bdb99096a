VALUE = "below"
