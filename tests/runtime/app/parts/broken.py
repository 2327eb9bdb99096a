from parts import plain

plain.absent_attribute
