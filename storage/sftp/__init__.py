"""Our SFTP server: what an account sees and may do. What a taken file means is for those above to say."""
