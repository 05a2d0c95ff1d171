"""A simulated TWS or Gateway on 127.0.0.1: the text protocol of server versions 157 to 178."""
