"""The fixtures that everybody leans on do what they say."""

from __future__ import annotations

import boto3
import redis
from sqlalchemy import Engine, text


def test_the_s3_server_keeps_an_object(s3_server: str):
    """The server speaks S3 over HTTP, from a process of its own."""
    client = boto3.client(
        "s3", endpoint_url=s3_server, region_name="us-east-1", aws_access_key_id="any", aws_secret_access_key="any"
    )
    client.create_bucket(Bucket="fixtures")
    client.put_object(Bucket="fixtures", Key="one", Body=b"1")
    assert client.get_object(Bucket="fixtures", Key="one")["Body"].read() == b"1"


def test_each_test_has_a_database_of_its_own(engine: Engine, empty_database_url: str):
    """A migrated database is empty of rows, and is not the one without tables."""
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM batches")).scalar_one() == 0
        assert connection.execute(text("SELECT current_database()")).scalar_one() not in empty_database_url


def test_valkey_is_empty_at_first(valkey_url: str):
    """What an earlier test left is gone."""
    with redis.Redis.from_url(valkey_url) as client:
        assert client.dbsize() == 0
        client.set("left", "over")


def test_valkey_is_empty_at_each_start(valkey_url: str):
    """The test before left a key, and it is gone."""
    with redis.Redis.from_url(valkey_url) as client:
        assert client.dbsize() == 0
