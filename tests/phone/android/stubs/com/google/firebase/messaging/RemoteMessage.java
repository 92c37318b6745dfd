package com.google.firebase.messaging;

import java.util.HashMap;
import java.util.Map;

public class RemoteMessage {
    public final Map<String, String> data = new HashMap<>();

    public Map<String, String> getData() { return data; }
}
