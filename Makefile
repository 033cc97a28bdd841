# Two commands do everything: `make up` runs the platform with a sample app, `make test` runs the whole suite.

.DEFAULT_GOAL := help
.PHONY: help up down test test-aws-live lint bench fuzz pictures images

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' Makefile

up: ## Install what is missing, build, start the platform, deploy a sample app
	@scripts/up

down: ## Stop the platform and its apps that `make up` started; the data stays
	@scripts/down

test: ## Run the whole test suite
	@scripts/test

test-aws-live: ## Try all of docs/aws.md on a real AWS account, within AWS_LIVE_CAP dollars
	@scripts/test-aws-live

lint: ## Check format, lints, licences and who depends on what
	@scripts/lint

bench: ## Measure against floors and peers; prints ratios
	@scripts/bench

fuzz: ## Throw odd bytes at all that reads what strangers send, a minute each
	@scripts/fuzz

pictures: ## Make the README's pictures of the dashboard anew
	@scripts/pictures

images: ## Build the images of docker-compose.yml
	@scripts/images
