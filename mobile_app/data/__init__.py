"""What the phone keeps and exchanges: the encrypted journal, the server, the sync between them. Never imports Kivy."""
