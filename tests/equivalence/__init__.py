"""The heart of the reference: ten variants, three engines, one meaning.

Every run is a real one: a worker process per engine, on embedded servers with SQLite, and on
PostgreSQL with RabbitMQ and Redis.
"""
