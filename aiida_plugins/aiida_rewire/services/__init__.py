"""How AiiDA reaches PostgreSQL and RabbitMQ such that a restart of either loses nothing and doubles nothing."""
