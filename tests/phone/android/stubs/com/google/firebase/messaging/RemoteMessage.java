package com.google.firebase.messaging;

import java.util.HashMap;
import java.util.Map;

public class RemoteMessage {
    public final Map<String, String> data = new HashMap<>();
    public Notification notification;

    public Map<String, String> getData() { return data; }
    public Notification getNotification() { return notification; }

    public static class Notification {
        public String tag;
        public String channelId;
        public String title;
        public String body;

        public String getTag() { return tag; }
        public String getChannelId() { return channelId; }
        public String getTitle() { return title; }
        public String getBody() { return body; }
    }
}
