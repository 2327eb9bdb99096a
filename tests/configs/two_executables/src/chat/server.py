import chat

print("server", chat.PORT, __name__)
