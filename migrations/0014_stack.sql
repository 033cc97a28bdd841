-- What builds of an app make a slug of: its source with buildpacks, or the container image of its Dockerfile.
alter table apps add column stack text not null default 'buildpacks';
