"""What real nodes print of themselves (``ip``, ``bridge``, ``iptables-save``), made walkable."""
