"""Tests of the simulated cloud, through boto3 over HTTP as its users come."""
