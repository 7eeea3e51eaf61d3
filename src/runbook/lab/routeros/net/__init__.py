"""How the router is reached: the API, SSH and SFTP on loopback."""
