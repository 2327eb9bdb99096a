import chat

print("client", chat.PORT, __name__)
