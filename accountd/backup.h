/*
 * The tool's commands for a copy of the database: backup.make leaves it in
 * the directory `backup' in accountd's own, backup.drop removes it again.
 */
#ifndef ACCOUNTD_BACKUP_H
#define ACCOUNTD_BACKUP_H

/* Removes what a crash has left. Before the first command. */
void backup_start(void);

#endif
