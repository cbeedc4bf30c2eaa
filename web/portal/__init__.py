"""The portal: pages for people, one noun a file."""
