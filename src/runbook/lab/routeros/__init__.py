"""A router that behaves like RouterOS: a state, a clock, and the services by which it is reached.

For tests, within their own process:

    from runbook.lab.routeros.router import Router

    with Router("7.18", password="secret", identity="core-1", clock_rate=60) as router:
        router.host, router.api_port, router.api_ssl_port, router.ssh_port
        router.ca            # PEM of the authority that signed the certificate of api-ssl
        router.host_key      # "ssh-ed25519 AAAA…"; router.change_host_key() makes another
        router.run("/ip address print")     # console commands as the owner: what they print
        router.snapshot()    # the export without its first line: the same if nothing changed
        router.advance(120)  # let two minutes pass at once; timers fire before it returns
        router.wait_until_up(boots=2)       # until it has restarted once
        router.faults.hang = True           # see net/faults.py: hang, refuse, drop, truncate, slow
        router.power_cycle()                # confirms a change of the device mode
        router.config.rows("ip/address")    # rows as they are kept

The client counts as 192.168.88.10, and reaches the router by its address 192.168.88.1 on ether1
(see the arguments `client` and `management`). If that address goes, its interface or the service
is disabled, or a rule of the firewall's chain input says so, connections fail for real. A service
on another port than its usual one is unreachable, too. With `rescue="password"`, the user `rescue`
gets in nevertheless: to load a backup of another router and look at what came of it.

As a process: `python -m runbook.lab.routeros --help`. See docs/routeros-simulator.md.
"""
