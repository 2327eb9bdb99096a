VALUE = "as built"
