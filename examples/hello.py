print("Hello from one file.")
