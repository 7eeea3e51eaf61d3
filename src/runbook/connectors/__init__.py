"""What runbooks use to talk to other systems. Each connector needs an optional extra."""
