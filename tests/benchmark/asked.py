"""What is asked of every resource server, and what it answers."""

PATH = "/2.0/users/me"
BODY = b'{"type":"user","id":"11446498","name":"Aaron Levie","login":"ceo@example.com"}'
